/* What differs between the machines that a network is tried on. */
#ifndef BOARD_H_
#define BOARD_H_

#include <stdint.h>

extern const char board_machine[];
extern const int board_is_emulated;

/* How many instructions ran between start and stop, in all; 0 if that is unknown. */
void board_start(void);
void board_stop(void);
uint64_t board_instructions(void);

#endif /* BOARD_H_ */
