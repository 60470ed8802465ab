//! The dashboard as a browser meets it: forms in, pages out.

mod settings;
