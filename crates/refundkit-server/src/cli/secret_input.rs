//! Secrets on their way in: from a file, a pipe or a prompt that does not echo. Never from an argument of their own.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read},
    path::Path,
};

use refundkit::{Error, ErrorCode};
use secrecy::SecretString;
use zeroize::Zeroize as _;

/// The largest file that is taken for a secret, in bytes: a key with some space around it.
const FILE_BYTES_MAX: u64 = 4096;

/// Reads a secret from a file; `-` is stdin.
pub(crate) fn from_file(path: &Path) -> Result<SecretString, Error> {
    let secret =
        if path == Path::new("-") { from_reader(io::stdin().lock()) } else { File::open(path).and_then(from_reader) };
    secret.map_err(|error| unreadable(&format!("No secret was read from {}: {error}.", path.display())))
}

/// Asks for a secret on the terminal without showing it, or reads it from a pipe.
pub(crate) fn from_prompt(question: &str, variable: &str, file_flag: &str) -> Result<SecretString, Error> {
    let stdin = io::stdin();
    let secret = if stdin.is_terminal() {
        super::output::note(question);
        console::Term::stderr().read_secure_line().map(tidy)
    } else {
        from_reader(stdin.lock())
    };
    let missing =
        || unreadable(&format!("No secret was given. Give it with {file_flag} FILE, in {variable}, or on stdin."));
    secret.ok().filter(|secret| !secrecy::ExposeSecret::expose_secret(secret).is_empty()).ok_or_else(missing)
}

fn from_reader(reader: impl Read) -> io::Result<SecretString> {
    let mut text = String::with_capacity(usize::try_from(FILE_BYTES_MAX).unwrap_or_default() + 1);
    reader.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        text.zeroize();
        return Err(io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(tidy(text))
}

/// The secret without the line break after it; the text that carried it is wiped.
fn tidy(mut text: String) -> SecretString {
    let secret = SecretString::from(text.trim());
    text.zeroize();
    secret
}

fn unreadable(message: &str) -> Error {
    Error::new(ErrorCode::ValidationError, message)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_line_break_is_no_part_of_the_secret() {
        assert_eq!(from_reader(&b"sk_test_4242\r\n"[..]).unwrap().expose_secret(), "sk_test_4242");
    }

    #[test]
    fn what_is_too_long_is_no_secret() {
        assert!(from_reader(&[b'x'; 5000][..]).is_err());
        assert!(from_file(Path::new("/does/not/exist")).unwrap_err().message.contains("/does/not/exist"));
    }
}
