//! Tells cargo that the migrations are part of the program: `sqlx::migrate!` alone does not notice new files.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
