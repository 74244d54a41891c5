//! Builds the program again when the Web-App in it has changed.

use std::path::Path;

fn main() {
    // Cargo takes a path that is missing for changed each time; so until there is a built Web-App, its folder is watched.
    let built = Path::new("../../web/dist");
    let watched = if built.exists() { built } else { Path::new("../../web") };
    println!("cargo:rerun-if-changed={}", watched.display());
}
