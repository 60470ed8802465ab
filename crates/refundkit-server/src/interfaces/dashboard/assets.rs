//! What pages load besides themselves: one style sheet, and scripts that they can do without. Part of the binary; the address of
//! each carries a digest of its content, so that browsers may keep it for ever.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use sha2::{Digest as _, Sha256};

/// Characters of the digest in an address.
const DIGEST_CHARACTERS: usize = 12;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static [u8],
    address: String,
}

macro_rules! asset {
    ($name:literal, $path:literal, $media_type:literal) => {{
        let content: &[u8] = include_bytes!(concat!("../../../assets/", $path));
        let mut digest = hex::encode(Sha256::digest(content));
        digest.truncate(DIGEST_CHARACTERS);
        Asset { name: $name, media_type: $media_type, content, address: format!("/assets/{digest}-{}", $name) }
    }};
}

static ASSETS: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    [
        asset!("app.css", "app.css", "text/css; charset=utf-8"),
        asset!("app.js", "app.js", "text/javascript; charset=utf-8"),
        asset!("htmx.js", "vendor/htmx.min.js", "text/javascript; charset=utf-8"),
        asset!("htmx-sse.js", "vendor/hx-sse.min.js", "text/javascript; charset=utf-8"),
        asset!("icon.svg", "icon.svg", "image/svg+xml"),
    ]
});

/// The address of an asset.
pub(super) fn address(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("/assets/missing", |asset| &asset.address)
}

/// Serves one of them.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.address.strip_prefix("/assets/") == Some(&name)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = asset.content.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_assets_together_are_small() {
        let together: usize = ASSETS.iter().map(|asset| asset.content.len()).sum();
        assert!(together < 120 * 1024, "{together} bytes, uncompressed");
    }
}
