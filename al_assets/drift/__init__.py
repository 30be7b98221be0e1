"""The drift room: does a new video still look like what the serving model was trained on?"""
