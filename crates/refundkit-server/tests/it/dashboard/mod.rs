//! The dashboard as a browser meets it: forms in, pages out.

mod askers;
mod browser;
mod full;
mod held;
mod limits;
mod live;
mod people;
mod refunds;
mod resumed;
mod sessions;
mod settings;
mod visitor;
