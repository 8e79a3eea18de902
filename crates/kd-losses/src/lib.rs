//! Knowledge distillation losses for Burn: plain tensors in, one loss out
