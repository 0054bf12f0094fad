"""The paper read aloud: its equations and both benchmarks as loops, in the paper's letters.

losses        equations (1) to (7), one loop for each sum
attention     sections III-B to III-D: who asks whom
davis         DAVIS 2017 Unsupervised: J, F and their assignment
youtube_vis   YouTube-VIS: AP and AR of tracks

Slow, short and without a trick: read these first. Everything here stands a second time in the
package, fast (`tagvis_lite.losses`, `tagvis_lite.model.attention`, `tagvis_lite.evaluation`), and
the tests hold the two equal. Input is taken as well formed; nothing here is called by a command.
"""
