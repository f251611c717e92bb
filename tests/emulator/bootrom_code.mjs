// The Thumb code of our boot ROM (bootrom.mjs): reset, the look-up in its tables, memory and bit functions.
//
// Arguments and results in r0-r3 as AAPCS has them; only r0-r3 and r12 are changed.

export const START = `
    .word 0x20042000            ; initial stack: the end of SRAM
    .word reset+1
    .word fault+1               ; NMI
    .word fault+1               ; hard fault
    .byte 0x4d, 0x75, 1, 3      ; "Mu", 1, version 3 (the ROM of the B2 stepping)
    .hword functions
    .hword data
    .hword table_lookup+1
    .align 4

reset:
    ldr r0, vector_table_register
    ldr r1, vector_table
    str r1, [r0, #0]
    ldmia r1!, {r2, r3}
    msr msp, r2
    bx r3
    .align 4
vector_table_register:
    .word 0xe000ed08
vector_table:
    .word 0x10000100

table_lookup:                   ; (uint16_t *table, code) -> pointer or 0
    ldrh r2, [r0, #0]
    cmp r2, #0
    beq table_end
    cmp r2, r1
    beq table_found
    adds r0, #4
    b table_lookup
table_found:
    ldrh r2, [r0, #2]
table_end:
    mov r0, r2
    bx lr
`;

export const MEMORY = `
memset:                         ; (pointer, byte, count) -> pointer
    mov r12, r0
    uxtb r1, r1
    lsls r3, r1, #8
    orrs r1, r3
    lsls r3, r1, #16
    orrs r1, r3
memset_align:
    cmp r2, #4
    blo memset_bytes
    lsls r3, r0, #30
    beq memset_words
    strb r1, [r0, #0]
    adds r0, #1
    subs r2, #1
    b memset_align
memset_words:
    subs r2, #4
    blo memset_rest
    stmia r0!, {r1}
    b memset_words
memset_rest:
    adds r2, #4
memset_bytes:
    subs r2, #1
    blo memset_end
    strb r1, [r0, #0]
    adds r0, #1
    b memset_bytes
memset_end:
    mov r0, r12
    bx lr

memcpy:                         ; (to, from, count) -> to
    push {r4, r5, r6, lr}
    mov r12, r0
    mov r3, r0
    eors r3, r1
    lsls r3, r3, #30
    bne memcpy_bytes            ; never aligned together
memcpy_align:
    cmp r2, #16
    blo memcpy_bytes
    lsls r3, r0, #30
    beq memcpy_blocks
    ldrb r3, [r1, #0]
    strb r3, [r0, #0]
    adds r0, #1
    adds r1, #1
    subs r2, #1
    b memcpy_align
memcpy_blocks:
    subs r2, #16
    blo memcpy_rest
    ldmia r1!, {r3, r4, r5, r6}
    stmia r0!, {r3, r4, r5, r6}
    b memcpy_blocks
memcpy_rest:
    adds r2, #16
memcpy_words:
    subs r2, #4
    blo memcpy_last
    ldmia r1!, {r3}
    stmia r0!, {r3}
    b memcpy_words
memcpy_last:
    adds r2, #4
memcpy_bytes:
    subs r2, #1
    blo memcpy_end
    ldrb r3, [r1, #0]
    strb r3, [r0, #0]
    adds r0, #1
    adds r1, #1
    b memcpy_bytes
memcpy_end:
    mov r0, r12
    pop {r4, r5, r6, pc}
`;

export const BITS = `
clz32:                          ; leading zeros, 32 for 0
    cmp r0, #0
    beq bits_none
    movs r1, #0
    lsrs r2, r0, #16
    bne clz_8
    adds r1, #16
    lsls r0, r0, #16
clz_8:
    lsrs r2, r0, #24
    bne clz_4
    adds r1, #8
    lsls r0, r0, #8
clz_4:
    lsrs r2, r0, #28
    bne clz_1
    adds r1, #4
    lsls r0, r0, #4
clz_1:
    cmp r0, #0
    bmi clz_end
    adds r1, #1
    lsls r0, r0, #1
    b clz_1
clz_end:
    mov r0, r1
    bx lr
bits_none:
    movs r0, #32
    bx lr

ctz32:                          ; trailing zeros, 32 for 0
    cmp r0, #0
    beq bits_none
    movs r1, #0
    lsls r2, r0, #16
    bne ctz_8
    adds r1, #16
    lsrs r0, r0, #16
ctz_8:
    lsls r2, r0, #24
    bne ctz_1
    adds r1, #8
    lsrs r0, r0, #8
ctz_1:
    lsls r2, r0, #31
    bmi ctz_end
    adds r1, #1
    lsrs r0, r0, #1
    b ctz_1
ctz_end:
    mov r0, r1
    bx lr

popcount32:                     ; number of ones: pairs, nibbles, then all bytes added up by one multiplication
    ldr r1, mask_1
    lsrs r2, r0, #1
    ands r2, r1
    subs r0, r0, r2
    ldr r1, mask_2
    lsrs r2, r0, #2
    ands r2, r1
    ands r0, r1
    adds r0, r0, r2
    ldr r1, mask_4
    lsrs r2, r0, #4
    adds r0, r0, r2
    ands r0, r1
    ldr r1, ones
    muls r0, r1
    lsrs r0, r0, #24
    bx lr

reverse32:                      ; bit 0 becomes bit 31: swap neighbours, pairs, nibbles, bytes, halves
    ldr r1, mask_1
    lsrs r2, r0, #1
    ands r2, r1
    ands r0, r1
    lsls r0, r0, #1
    orrs r0, r2
    ldr r1, mask_2
    lsrs r2, r0, #2
    ands r2, r1
    ands r0, r1
    lsls r0, r0, #2
    orrs r0, r2
    ldr r1, mask_4
    lsrs r2, r0, #4
    ands r2, r1
    ands r0, r1
    lsls r0, r0, #4
    orrs r0, r2
    ldr r1, mask_8
    lsrs r2, r0, #8
    ands r2, r1
    ands r0, r1
    lsls r0, r0, #8
    orrs r0, r2
    lsrs r2, r0, #16
    lsls r0, r0, #16
    orrs r0, r2
    bx lr
    .align 4
mask_1:
    .word 0x55555555
mask_2:
    .word 0x33333333
mask_4:
    .word 0x0f0f0f0f
mask_8:
    .word 0x00ff00ff
ones:
    .word 0x01010101

nothing:                        ; flash connect, exit and enter XIP, flush cache: the flash is always readable here
    bx lr
`;
