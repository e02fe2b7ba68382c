"""A seeded market with known truth: quotes and prints of related pairs, as raw files or in memory."""

from mmbt.synth.config import Currency, Pair, SynthConfig
from mmbt.synth.laws import truth
from mmbt.synth.market import Block, MarketBlocks, generate_market
from mmbt.synth.presets import PRESETS, make_config, preset
from mmbt.synth.statistics import measure
from mmbt.synth.writer import Compression, generate

__all__ = ["PRESETS", "Block", "Compression", "Currency", "MarketBlocks", "Pair", "SynthConfig", "generate",
           "generate_market", "make_config", "measure", "preset", "truth"]
