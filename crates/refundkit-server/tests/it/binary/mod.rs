//! The program itself: started, read, signalled and killed as its users' shells and service managers do it.
//!
//! * `program`: a child process in a folder of its own, on free ports, with nothing of the tester's environment.
//! * `dev`: the first minute.
//! * `installation`: `setup`, `serve`, and the files they make.
//! * `crash`: a process that dies in the middle.
//! * `torture`: many that die, again and again, while everybody asks.
//! * `commands`: the commands that speak to a server.
//! * `roles`: several servers on one database, and one on a file.
//! * `backups`, `moving`: one file and back, and to PostgreSQL.
//! * `disks`: a disk that is full, a file that is locked.
//! * `failures`: how commands fail, and what they do not tell.

mod backups;
mod commands;
mod crash;
mod dev;
mod disks;
mod failures;
mod installation;
mod moving;
mod program;
mod roles;
mod torture;
