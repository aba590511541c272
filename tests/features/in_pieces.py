"""Photos whose features and pictures lie in pieces, as shards have them."""

import numpy as np


class InPieces:
    """Photos cut into so many pieces, in the order `order`."""

    def __init__(self, values, pictures, order, n_pieces):
        self.values, self._pictures, self.n = values, pictures, len(values)
        self._pieces = np.array_split(order, n_pieces)

    def __len__(self):
        return len(self._pieces)

    def places(self, piece):
        return self._pieces[piece]

    def features(self, piece):
        return self.values[self._pieces[piece]]

    def pictures(self, piece):
        return self._pictures[self._pieces[piece]]
