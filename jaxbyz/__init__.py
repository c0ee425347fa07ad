"""jaxbyz: Byzantine-robust, communication-compressed distributed learning in JAX."""
