//! The dashboard as a browser meets it: forms in, pages out.

mod browser;
mod live;
mod refunds;
mod settings;
