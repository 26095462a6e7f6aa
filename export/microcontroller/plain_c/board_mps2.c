/* The board MPS2 AN386 with its Cortex-M4, as QEMU has it.

   It counts with SysTick, the timer of every Cortex-M, from the processor's clock. Under
   `qemu-system-arm -icount shift=0` an instruction takes 1 ns, and a tick of this board
   of 25 MHz takes 40 ns. */
#include "board.h"

const char board_machine[] = "Cortex-M4, QEMU mps2-an386";
const int board_is_emulated = 1;

#define INSTRUCTIONS_IN_A_TICK 40

#define CONTROL (*(volatile uint32_t *)0xE000E010)
#define RELOAD (*(volatile uint32_t *)0xE000E014)
#define CURRENT (*(volatile uint32_t *)0xE000E018)
#define FROM_PROCESSOR_CLOCK 4u
#define WITH_INTERRUPT 2u
#define ENABLED 1u
#define MOST 0xFFFFFFu

static volatile uint32_t rounds;
static uint64_t ticks;

/* The timer counts down, and got to 0. */
void SysTick_Handler(void);

void SysTick_Handler(void) { rounds++; }

void board_start(void)
{
  rounds = 0;
  RELOAD = MOST;
  CURRENT = 0;
  CONTROL = FROM_PROCESSOR_CLOCK | WITH_INTERRUPT | ENABLED;
}

void board_stop(void)
{
  const uint32_t left = CURRENT;

  CONTROL = 0;
  /* The first tick loads the timer; until then it is 0. */
  if (left != 0) ticks += (uint64_t)rounds * (MOST + 1u) + (MOST - left);
}

uint64_t board_instructions(void) { return ticks * INSTRUCTIONS_IN_A_TICK; }
