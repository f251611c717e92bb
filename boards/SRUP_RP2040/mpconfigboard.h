#define MICROPY_HW_BOARD_NAME "SRUP RP2040"

// The flash of 2 MB, as board.json has it: firmware, ROMFS, two raw slots, littlefs. The last two are the storage, rp2.Flash().
// littlefs is where a Pico W has it, and of the same size.
#define MICROPY_HW_ROMFS_BYTES (64 * 1024)
#define MICROPY_HW_FLASH_STORAGE_BYTES ((2 * 192 + 848) * 1024)

#define MICROPY_PY_NETWORK (1)
#define MICROPY_PY_NETWORK_HOSTNAME_DEFAULT "srup"
#define MICROPY_PY_NETWORK_PPP_LWIP (1)

// lwIP, which with the port's own settings runs out of memory when it sends much over PPP.
#define MEM_SIZE (12000)
#define TCP_MSS (800)
#define TCP_WND (8 * TCP_MSS)
#define TCP_SND_BUF (4 * TCP_MSS)
#define MEMP_NUM_TCP_SEG (32)
#define PBUF_POOL_SIZE (28)

// Whether the PPP peer is still there is asked every five seconds; three silences, and the link is down (RFC 1661, section 5.8).
#define LCP_ECHOINTERVAL (5)
