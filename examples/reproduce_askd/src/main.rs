//! ASKD's tables on CIFAR-100: eleven pairs, nine methods, with the published figures beside.
//!
//! All of it takes long: name words for a part of it, and fewer epochs or images for a taste.
//!
//! ```text
//! cargo run --release --bin reproduce_askd -- resnet110 resnet20 askd --root data --epochs 6 --limit-train 5000
//! ```

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    reproduce::reproduce("askd-cifar100")
}
