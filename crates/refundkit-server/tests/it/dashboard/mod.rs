//! The dashboard as a browser meets it: forms in, pages out.

mod settings;
mod browser;
mod live;
mod refunds;
