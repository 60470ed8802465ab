//! The promises that tie README, CI and the manifests together.

use super::{assert_none, files, read};

/// The main job, as README gives it to a newcomer. `tests/it` runs it with the built binary.
const DEV: &str = "cargo run --release -- dev";
/// The test command.
const TEST: &str = "./scripts/test";

/// The commands in the fenced blocks of README, without prompts.
fn readme_commands() -> Vec<String> {
    let mut inside = false;
    let mut commands = Vec::new();
    for line in read("README.md").lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            commands.push(line.trim_start_matches("$ ").trim().to_owned());
        }
    }
    commands
}

#[test]
fn readme_gives_the_two_commands() {
    let commands = readme_commands();
    for promised in [DEV, TEST] {
        assert!(commands.iter().any(|command| command == promised), "README has no line `{promised}` to paste");
    }
}

#[test]
fn ci_runs_the_test_command_of_readme_and_nothing_else() {
    let run = read(".ci/run");
    let commands: Vec<_> = run
        .lines()
        .map(str::trim)
        .filter(|line| {
            !line.is_empty() && !line.starts_with('#') && !line.starts_with("set ") && !line.starts_with("cd ")
        })
        .collect();
    assert_eq!(commands, [TEST]);
}

#[cfg(unix)]
#[test]
fn scripts_can_be_run_as_they_are() {
    use std::os::unix::fs::PermissionsExt as _;
    let stiff: Vec<_> = files()
        .iter()
        .filter(|file| file.text.starts_with("#!/"))
        .filter(|file| std::fs::metadata(super::root().join(&file.path)).unwrap().permissions().mode() & 0o111 == 0)
        .map(|file| file.path.clone())
        .collect();
    assert_none(&stiff, "these have a `#!/` line and cannot be executed:");
}

#[test]
fn lock_files_name_no_registry_address() {
    let mut found = Vec::new();
    for file in files() {
        let npm = file.path.ends_with("package-lock.json") && file.text.contains("\"resolved\"");
        let pypi =
            file.path.contains("requirements") && super::has_extension(&file.path, "txt") && file.text.contains("://");
        if npm || pypi {
            found.push(file.path);
        }
    }
    assert_none(&found, "a lock file that names a registry works behind that registry only:");
}

#[test]
fn changelog_has_a_place_for_what_comes_next() {
    assert!(read("CHANGELOG.md").contains("## Unreleased"), "CHANGELOG.md has no `## Unreleased`");
}
