//! From networks to losses.

use kd_losses::Features;

/// A network's features in the form that the losses take.
pub fn features_for_losses(features: kd_models::Features) -> Features {
    Features {
        maps: features.maps,
        preact: features.preact,
        pooled: features.pooled,
        logits: features.logits,
    }
}

/// Shapes of a network's features in the form that the losses take.
pub fn shapes_for_losses(shapes: kd_models::FeatureShapes) -> kd_losses::FeatureShapes {
    kd_losses::FeatureShapes {
        maps: shapes.maps,
        pooled: shapes.pooled,
        classes: shapes.classes,
    }
}
