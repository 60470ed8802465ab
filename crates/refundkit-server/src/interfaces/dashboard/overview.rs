//! `/`: how refunds are going.

use askama::Template;

use super::{
    page::{self, Frame, Section, Shown},
    viewer::Viewer,
};

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage<'a> {
    frame: Frame<'a>,
}

/// `GET /`.
pub(super) async fn show(viewer: Viewer) -> Shown {
    page::html(&OverviewPage { frame: Frame { title: "Overview", section: Section::Overview, viewer: &viewer } })
}
