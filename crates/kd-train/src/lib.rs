//! Distillation recipes, the training loop, checkpoints and run records, on Burn
