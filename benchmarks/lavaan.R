# What the lavaan contestants share: standardised estimates by common names.

needs("lavaan")
suppressPackageStartupMessages(library(lavaan))

# Estimates with factors of sd 1: effects and correlations; loadings of continuous items; slopes of graded items
# in logits from the standardised probit loadings.
common_names <- function(fit) {
  table <- standardizedSolution(fit, type = "std.lv", se = FALSE)
  found <- numeric(0)
  for (i in seq_len(nrow(table))) {
    row <- table[i, ]
    name <- NULL
    if (row$op == "=~" && problem$family == "gaussian") name <- sprintf("loading[%s]", row$rhs)
    if (row$op == "=~" && problem$family == "graded") {
      name <- sprintf("slope[%s]", row$rhs)
      row$est.std <- 1.702 * row$est.std / sqrt(1 - row$est.std^2)
    }
    if (row$op == ":=") name <- row$lhs
    if (row$op == "~" && row$label != "") name <- row$label
    if (row$op == "~~" && row$lhs != row$rhs && row$lhs %in% factor_names) {
      places <- sort(match(c(row$lhs, row$rhs), factor_names), decreasing = TRUE)
      name <- sprintf("r[%s,%s]", factor_names[places[1]], factor_names[places[2]])
    }
    if (!is.null(name)) found[name] <- row$est.std
  }
  found
}
