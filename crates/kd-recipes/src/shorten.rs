//! A recipe for fewer epochs, or more.

use kd_train::Overlay;
use serde_json::Value;

/// Changes the number of epochs of a recipe and, in proportion, what follows it: the milestones of the
/// learning rate, and the phases before the main one. What is then another budget than the published
/// one is another experiment.
///
/// ```
/// use kd_recipes::{recipe, shorten};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut overlay = recipe("sakd-cifar100-resnet56-resnet20-ft")?.overlay();
/// shorten(&mut overlay, 8);
/// let recipe = overlay.recipe()?;
/// assert_eq!(recipe.scheduler.milestones.as_deref(), Some(&[5, 6, 7][..]));
/// assert_eq!(recipe.train.pretrain_epochs, Some(1));
/// # Ok(())
/// # }
/// ```
pub fn shorten(overlay: &mut Overlay, epochs: usize) {
    let of = |overlay: &Overlay, key: &str| overlay.get(key).and_then(Value::as_u64);
    let before = of(overlay, "train.epochs").map_or(epochs, |epochs| epochs as usize);
    overlay.set("train.epochs", epochs);
    if before == 0 || before == epochs {
        return;
    }
    let scaled = |value: u64| u128::from(value) * epochs as u128;
    for key in ["scheduler.milestones", "train.pretrain_milestones"] {
        if let Some(milestones) = overlay.get(key).and_then(Value::as_array) {
            let milestones = milestones.iter().filter_map(Value::as_u64);
            let mut milestones: Vec<usize> = milestones
                .map(|milestone| (scaled(milestone) / before as u128) as usize)
                .filter(|milestone| *milestone > 0)
                .collect();
            milestones.dedup();
            overlay.set(key, milestones);
        }
    }
    if let Some(phase) = of(overlay, "train.pretrain_epochs") {
        let phase = scaled(phase).div_ceil(before as u128) as usize;
        overlay.set("train.pretrain_epochs", phase);
    }
}
