/* A PC, where nothing is counted. */
#include "board.h"

const char board_machine[] = "PC";
const int board_is_emulated = 0;

void board_start(void) {}

void board_stop(void) {}

uint64_t board_instructions(void) { return 0; }
