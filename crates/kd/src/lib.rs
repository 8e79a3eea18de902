//! Knowledge distillation in pure Rust: losses, models, training and the kd command
