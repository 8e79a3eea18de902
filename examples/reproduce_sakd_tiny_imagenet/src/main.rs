//! SAKD's table on Tiny-ImageNet: five pairs, ten methods, Standard and Adaptive, with the published figures beside.
//!
//! All of it takes long: name words for a part of it, and fewer epochs or images for a taste.
//!
//! ```text
//! cargo run --release --bin reproduce_sakd_tiny_imagenet -- resnet56 at --root data --epochs 6 --limit-train 5000
//! ```

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    reproduce::reproduce("sakd-tiny-imagenet")
}
