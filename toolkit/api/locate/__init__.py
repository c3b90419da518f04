"""From mistakes to the heads behind them: evidence, scores, the choice of a set."""
