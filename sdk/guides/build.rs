//! Makes a function of the Rust blocks of each document: the first as it stands, the others in scopes of their own after it.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let docs = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../docs");
    println!("cargo::rerun-if-changed={}", docs.display());
    let mut pages = vec![docs.join("quickstart.md"), docs.join("stripe.md")];
    for entry in fs::read_dir(docs.join("guides"))? {
        pages.push(entry?.path());
    }
    let (mut functions, mut arms) = (String::new(), String::new());
    for page in pages {
        let name = page.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let text = fs::read_to_string(&page)?;
        let blocks: Vec<&str> =
            text.split("\n```rust\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
        let Some((first, others)) = blocks.split_first() else { continue };
        let function = name.replace('-', "_");
        write!(functions, "async fn {function}() -> Result<(), Box<dyn std::error::Error>> {{\n{first}\n")?;
        for block in others {
            write!(functions, "{{\n{block}\n}}\n")?;
        }
        // A block may only define what a reader calls; the harness calls it.
        if name == "webhooks" {
            functions.push_str("return crate::deliver(receive);\n");
        } else {
            functions.push_str("Ok(())\n");
        }
        functions.push_str("}\n\n");
        writeln!(arms, "        \"{name}\" => {function}().await,")?;
    }
    let dispatch = format!(
        "pub(crate) async fn run(page: &str) -> Result<(), Box<dyn std::error::Error>> {{\n    match page {{\n{arms}        other => Err(format!(\"no Rust in {{other}}\").into()),\n    }}\n}}\n"
    );
    fs::write(Path::new(&env::var("OUT_DIR")?).join("pages.rs"), functions + &dispatch)?;
    Ok(())
}
