/* What a Cortex-M4 does from reset to main, with newlib's start behind it. */
#include <stdint.h>

#define ACCESS_TO_COPROCESSORS (*(volatile uint32_t *)0xE000ED88)

/* An address from the linker; vectors are functions. */
extern void __stack(void);
extern void _start(void);
extern int puts(const char *text);
extern void _exit(int code);
void SysTick_Handler(void);
void reset(void);

static void fault(void)
{
  puts("fault: the processor stopped");
  _exit(2);
}

void reset(void)
{
  /* newlib is built for the unit for floats, which is off after a reset. */
  ACCESS_TO_COPROCESSORS |= 0xFu << 20;
  __asm volatile("dsb\n\tisb");
  _start();
}

typedef void (*handler)(void);

__attribute__((section(".vectors"), used)) static const handler vectors[16] = {
    __stack, reset, fault, fault, fault, fault, fault, 0,
    0,       0,     0,     fault, fault, 0,     fault, SysTick_Handler,
};
