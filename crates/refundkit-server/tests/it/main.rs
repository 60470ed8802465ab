//! The server as its users meet it: one test binary.

mod tidy;
