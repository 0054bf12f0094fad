"""Tags and semantics to instances: cluster finds them, at the modes of tags; trust weighs them."""

from tagvis_lite.instances.cluster import Instances, Prepared, cluster_instances, prepare
from tagvis_lite.instances.modes import modes_1d, modes_nd

__all__ = ["Instances", "Prepared", "cluster_instances", "modes_1d", "modes_nd", "prepare"]
