//! Knowledge-Distillation-Zoo's table on CIFAR-100: 21 methods, three pairs of resnet20 and resnet110, with the published figures beside.
//!
//! All of it takes long: name words for a part of it, and fewer epochs or images for a taste.
//!
//! ```text
//! cargo run --release --bin reproduce_zoo -- st --root data --epochs 6 --limit-train 5000
//! ```

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    reproduce::reproduce("zoo-cifar100")
}
