"""What TensorBoard itself reads in a folder of event files: usage tensorboard_curves.py FOLDER.

The last line of stdout is one JSON object: for each tag the steps with their values, in the order in which it shows them.
"""

import json
import sys

from tensorboard.backend.event_processing import event_accumulator


def main():
    seen = event_accumulator.EventAccumulator(sys.argv[1], size_guidance={event_accumulator.SCALARS: 0})
    seen.Reload()
    tags = seen.Tags()["scalars"]
    print(json.dumps({tag: [(point.step, point.value) for point in seen.Scalars(tag)] for tag in tags}))


if __name__ == "__main__":
    main()
