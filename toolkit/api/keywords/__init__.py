"""What do mistakes have in common, in words?"""
