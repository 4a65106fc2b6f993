"""How good the decisions are: the policy and two baselines over physics, faults and real traces (`make score`)."""
