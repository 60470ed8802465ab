//! The dashboard as a browser meets it: forms in, pages out.

mod limits;
mod people;
mod sessions;
mod visitor;
