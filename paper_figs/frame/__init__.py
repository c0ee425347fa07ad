"""What all figures need, written once.

figure      what a figure module holds; finding one by its name
workspace   where a figure keeps its runs: races with step sizes, and arrays; they continue
split       a validation split for problems of classification
findings    claims held against curves: verdict, interval over seeds, the test that was used
drawing     colours of methods, curves with median and range, titles with units
making      one figure from its name to its files; batch: several, also at the same time
records     what a figure leaves on disk
pages       the index page of all results, and the gallery
compiling   seconds that JAX spent on compiling
"""
