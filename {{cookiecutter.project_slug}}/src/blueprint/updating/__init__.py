"""Moving the project to a newer template or to other answers: copier merges, this keeps order."""
