//! Hides what looks like a secret, wherever somebody pasted it: in a path, a name, a message.

/// How the keys and secrets begin that people paste in wrong places.
const PREFIXES: [&str; 5] = ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"];
/// What follows a prefix and is no longer than this is no secret: `sk_test_…4242`, `rk_test_`.
const SHOWN_CHARACTERS_MAX: usize = 7;

/// The text with everything that looks like a key cut to its prefix.
pub fn scrub(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = first_prefix(rest) {
        let (with_prefix, after) = rest.split_at(end);
        let length = after.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-');
        let (key, remaining) = after.split_at(length.unwrap_or(after.len()));
        clean.push_str(with_prefix);
        clean.push_str(if key.len() > SHOWN_CHARACTERS_MAX { "***" } else { key });
        rest = remaining;
    }
    clean + rest
}

/// Where the first prefix ends. Every text that is logged passes here, and most have none: only what ends with an underscore, as
/// each prefix does, is looked at.
fn first_prefix(text: &str) -> Option<usize> {
    let mut ends = text.match_indices('_').map(|(place, underscore)| place + underscore.len());
    ends.find(|end| PREFIXES.iter().any(|prefix| text[..*end].ends_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_cut_to_their_prefix_wherever_they_stand() {
        for (text, clean) in [
            ("/v1/refunds/sk_live_51Habcdefgh", "/v1/refunds/sk_live_***"),
            ("`rk_test_abcdefgh-1234` and whsec_abcdefghijk.", "`rk_test_***` and whsec_***."),
            ("sk_test_…4242 begins with rk_test_ or rk_live_", "sk_test_…4242 begins with rk_test_ or rk_live_"),
            ("nothing here", "nothing here"),
        ] {
            assert_eq!(scrub(text), clean);
        }
    }
}
