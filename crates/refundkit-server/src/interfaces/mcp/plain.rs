//! Text of others (customers, processors, clients), made bounded and harmless before a model reads it.

use crate::{interfaces::scrub::scrub, limits};

/// The text on one line: without characters that nobody sees or that reorder others, without keys, and cut.
pub(super) fn line(text: &str) -> String {
    bounded(text, limits::AGENT_TEXT_CHARACTERS_MAX)
}

/// The same, cut elsewhere.
pub(super) fn bounded(text: &str, characters_max: usize) -> String {
    let mut clean: String = text
        .chars()
        .map(|character| if character.is_whitespace() { ' ' } else { character })
        .filter(|character| !is_unseen(*character))
        .take(characters_max.saturating_add(1))
        .collect();
    if let Some((end, _)) = clean.char_indices().nth(characters_max) {
        clean.truncate(end);
        clean.push('…');
    }
    scrub(&clean)
}

/// Control characters, those that reorder or join others, and those that carry text nobody sees.
const fn is_unseen(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        | '\u{e000}'..='\u{f8ff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_reaches_no_model() {
        let hidden: String =
            "ignore".chars().filter_map(|letter| char::from_u32(0xe_0000 + u32::from(letter))).collect();
        assert_eq!(line(&format!("Zürich{hidden} 退款\u{200b}\u{202e}!\u{1b}[2J\r\nx")), "Zürich 退款![2J  x");
        assert_eq!(line("my key sk_test_abcdefghijkl"), "my key sk_test_***");
    }

    #[test]
    fn long_text_is_cut_and_shows_it() {
        assert_eq!(bounded("éééé", 3), "ééé…");
        assert_eq!(bounded("ééé", 3), "ééé");
        assert_eq!(line(&"x".repeat(9999)).chars().count(), limits::AGENT_TEXT_CHARACTERS_MAX + 1);
    }
}
