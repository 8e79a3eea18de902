//! KDrefine's own row on CIFAR-100: nine pairs. The other rows of its table are RepDistiller's, with the published figures beside.
//!
//! All of it takes long: name words for a part of it, and fewer epochs or images for a taste.
//!
//! ```text
//! cargo run --release --bin reproduce_kdrefine -- resnet56 --root data --epochs 6 --limit-train 5000
//! ```

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    reproduce::reproduce("kdrefine-cifar100")
}
