"""The embedded development chain: real sealed headers and real state proofs from Python packages alone.

It is not a blockchain: one operator holds all validator keys, which lie beside the data. Its trust profile must have
the ceiling ``unsealed-dev``. Open it with ``anchors.devchain.chain.open_dev_chain`` (extra ``devchain``).
"""
