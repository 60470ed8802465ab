//! The program itself: started, read, signalled and killed as its users' shells and service managers do it.
//!
//! * `program`: a child process in a folder of its own, on free ports, with nothing of the tester's environment.
//! * `dev`: the first minute.
//! * `installation`: `setup`, `serve`, and the files they make.
//! * `crash`: a process that dies in the middle.
//! * `commands`: the commands that speak to a server.
//! * `roles`: several servers on one database, and one on a file.
//! * `failures`: how commands fail, and what they do not tell.

mod commands;
mod crash;
mod dev;
mod failures;
mod installation;
mod program;
mod roles;
