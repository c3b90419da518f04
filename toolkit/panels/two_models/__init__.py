"""`TwoModels`: two models, or an edit beside its model, on one scale."""
