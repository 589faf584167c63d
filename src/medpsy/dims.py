"""The vocabulary: names of dimensions and of DataTree groups, used everywhere and nowhere spelt twice."""

PERSON = "person"
ITEM = "item"
CATEGORY = "category"
STEP = "step"
FACTOR = "factor"
FACTOR_2 = "factor_2"
#: Constructs and latent variables without items, of the persons of which normals are sampled.
LATENT = "latent"
PATH = "path"
NODE = "node"
CHAIN = "chain"
DRAW = "draw"

POSTERIOR = "posterior"
SAMPLE_STATS = "sample_stats"
LOG_LIKELIHOOD = "log_likelihood"
OBSERVED = "observed_data"
CONSTANT = "constant_data"
SCORES = "scores"

#: Name of the likelihood variable in every model and in the log-likelihood group.
ANSWERS = "answers"
