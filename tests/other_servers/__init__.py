"""The contract, the stories and the budgets on other servers, and on AWS itself.

`python -m tests.other_servers` starts each server that can run here, and prints a table. `gaps`
names what a server cannot do, `emulators` starts the servers, and `account` watches what a run on
AWS costs.
"""
