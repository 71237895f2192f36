"""Extensions that docs/extending.md explains; the tests run them."""
