"""The demo as its visitor meets it: one session behind two frameworks, and a page that is true."""
