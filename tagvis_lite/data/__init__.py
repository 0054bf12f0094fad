"""Where videos come from: toy scenes, DAVIS and YouTube-VIS on disk, folders of images, files."""
