"""The mathematics of the toolkit: tensors and arrays in, frozen results out; knows no widget, file or data set."""
