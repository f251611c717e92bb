# What the board freezes anyway, and all of firmware/. SRUP_DIR is the checkout.
include("../manifest.py")
include("$(SRUP_DIR)/firmware/manifest.py", umqtt=False, kernel="p256_thumb")
package("umqtt", base_path="$(SRUP_DIR)/.cache/micropython-lib")
