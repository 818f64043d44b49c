"""What others have published: Table 1 of arXiv 1908.01073, dice in percent, sizes in MB as its
authors count them; and rates of segmentation networks on FPGAs."""

__all__ = ["ACCELERATORS", "NOMINAL_BITS", "PUBLISHED", "RELU_COLUMNS"]

PUBLISHED = (
    # activation and weight, size, EM relu, EM tanh, GM relu, GM tanh, pancreas
    ("full precision", 18.48, 94.05, 93.02, 56.32, 56.26, 75.69),
    ("Q8.8, Q8.8", 9.23, 92.02, 91.08, 56.11, 56.01, 74.61),
    ("Q8.0, Q0.8", 4.61, 92.21, 88.42, 56.10, 53.78, 73.05),
    ("Q6.0, Q0.4", 2.31, 91.03, 90.93, 55.85, 52.34, 73.48),
    ("Q4.0, Q0.2", 1.15, 79.80, 54.23, 51.80, 48.23, 71.77),
    ("BNN", 0.56, 78.53, None, 31.44, None, 72.56),
    ("TernaryNet", 1.15, None, 82.66, None, 43.02, 73.9),
)
"""None where the paper gives nothing."""

RELU_COLUMNS = {"em": 2, "gm": 4, "pancreas": 6}
"""Data set -> place of its dice with ReLU in a line of :data:`PUBLISHED`."""

NOMINAL_BITS = {"Q8.0, Q0.8": (8, 8), "Q6.0, Q0.4": (4, 6), "Q4.0, Q0.2": (2, 4)}
"""Line of the table -> (weight, activation) bits its name speaks of, where hardware of that few
exists here.  The sign comes on top: Q0.4 has 33 levels."""

ACCELERATORS = (
    ("Le Blevec et al., ICECS 2023: U-Net-like, 4 bits, dataflow", "Alveo U250",
     "close to 23 images/s, 44 ms latency, Cityscapes", "https://hal.science/hal-04262138"),
    ("Ghielmetti et al., 2022: compressed ENet, hls4ml, on chip", "ZCU102",
     "4.9 ms an image, under 30% of the part, Cityscapes", "https://arxiv.org/abs/2205.07690"),
    ("Khadem Hosseini and Mirzakuchaki, 2025: LMIINet, 8 bits, CGRA4ML", "ZCU104",
     "20 frames/s, 50.1 ms latency, Cityscapes", "https://arxiv.org/abs/2510.22243"),
)
"""(network, board, rate, source), as the abstracts have them; networks and images differ."""
